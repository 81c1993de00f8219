# Compiles sources once per instruction set, into one library. FORGER_ISA (baseline, avx2, avx512) names the namespace
# in which each compilation puts its entry points; for_isa() of kernels/common/isa.h chooses among them at run time.
# CONTRACT: let the compiler fuse every multiply-add. For products and transforms written as plain formulas, whose
# rounding nobody relies on; without it, as everywhere else, a kernel asks for fma by name, and what it does not ask
# for gives the same bits on every instruction set.
# Usage: forger_isa_sources(TARGET [CONTRACT] SOURCES file...)
function(forger_isa_sources target)
  cmake_parse_arguments(ARG "CONTRACT" "" "SOURCES" ${ARGN})
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    message(FATAL_ERROR "Forger's CPU kernels need an x86-64 CPU; this is ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
  set(flags_baseline "")
  set(flags_avx2 -mavx2 -mfma)
  set(flags_avx512 -mavx2 -mfma -mavx512f -mavx512vl -mavx512bw -mavx512dq -mprefer-vector-width=512)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # False alarms from GCC 12's own header (its bug 105593).
    list(APPEND flags_avx512 -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()

  foreach(isa baseline avx2 avx512)
    set(objects ${target}_${isa})
    add_library(${objects} OBJECT ${ARG_SOURCES})
    target_link_libraries(${objects} PRIVATE forger_common)
    target_compile_definitions(${objects} PRIVATE FORGER_ISA=${isa})
    target_compile_options(${objects} PRIVATE ${flags_${isa}} $<$<BOOL:${ARG_CONTRACT}>:-ffp-contract=fast>)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)

    # A weak symbol (an inline function, a std:: template) could be the copy that the linker keeps for the whole
    # program: old CPUs would then meet instructions that they lack. (DW.ref, of debug builds, is data of the C++
    # run-time library.)
    if(NOT FORGER_SANITIZE)
      add_test(NAME "${target}: the ${isa} objects share no code with the rest of the program"
               COMMAND sh -c "symbols=$(${CMAKE_NM} -C \"$@\") && ! echo \"$symbols\" | grep ' [uVW] ' | grep -v DW.ref" nm
                       $<TARGET_OBJECTS:${objects}>
               COMMAND_EXPAND_LISTS)
    endif()
  endforeach()
endfunction()
