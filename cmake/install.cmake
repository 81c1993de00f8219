# `cmake --install`: the program with its data and completions (component program), and the library as a CMake package
# (component library): find_package(Forger REQUIRED), target_link_libraries(app Forger::forger).
if(FORGER_FUZZ)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)  # tests need not be built to install

# --- the program ---
set(data_dir ${CMAKE_INSTALL_DATADIR}/forger/datasets)
install(TARGETS forger RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(DIRECTORY datasets/mnist DESTINATION ${data_dir} COMPONENT program)
# The installed program prints its own completions.
set(completions ${CMAKE_BINARY_DIR}/completions)
install(CODE "
  file(MAKE_DIRECTORY ${completions})
  foreach(shell bash zsh fish)
    execute_process(COMMAND $<TARGET_FILE:forger> completion \${shell} OUTPUT_FILE ${completions}/\${shell}
                    COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
  # Where zsh looks; Debian's has a folder of its own for what packages bring.
  set(zsh_folder zsh/site-functions)
  if(CMAKE_INSTALL_PREFIX MATCHES \"(^|/)usr$\" AND EXISTS /etc/debian_version)
    set(zsh_folder zsh/vendor-completions)
  endif()
  foreach(place bash|bash-completion/completions|forger zsh|\${zsh_folder}|_forger fish|fish/vendor_completions.d|forger.fish)
    string(REPLACE | \";\" place \${place})
    list(GET place 0 shell)
    list(GET place 1 folder)
    list(GET place 2 file)
    file(INSTALL DESTINATION \${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/\${folder} TYPE FILE RENAME \${file}
         FILES ${completions}/\${shell})
  endforeach()" COMPONENT program)
install(FILES cmake/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/forger COMPONENT program)
install(FILES cmake/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libforger-dev COMPONENT library)

# --- the library: forger_interop and all that it links ---
set(library "")
set(waiting forger_interop)
set(links_of_all "")
while(waiting)
  list(POP_FRONT waiting target)
  list(APPEND library ${target})
  foreach(property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
    get_target_property(links ${target} ${property})
    list(APPEND links_of_all ${links})
    string(REGEX MATCHALL "forger_[a-z0-9_]+" names "${links}")
    foreach(name ${names})
      if(NOT name STREQUAL forger_dnnl AND NOT name IN_LIST library AND NOT name IN_LIST waiting)
        list(APPEND waiting ${name})
      endif()
    endforeach()
  endforeach()
endwhile()

# The folders of this machine and what only the build needs stay out of the package. ForgerConfig.cmake looks for oneDNN
# by its library's name, since oneDNN's own package may require OpenCL.
set(has_onednn OFF)
foreach(target ${library})
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  if(links)
    set(kept "")
    foreach(link ${links})
      if(link MATCHES "forger_dnnl|DNNL::dnnl")
        set(has_onednn ON)
      endif()
      if(link MATCHES "forger_dnnl|DNNL::dnnl|nlohmann_json")
        set(link "$<BUILD_INTERFACE:${link}>")
      endif()
      list(APPEND kept ${link})
    endforeach()
    set_property(TARGET ${target} PROPERTY INTERFACE_LINK_LIBRARIES ${kept})
  endif()
  foreach(property INTERFACE_INCLUDE_DIRECTORIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES)
    get_target_property(folders ${target} ${property})
    if(folders)
      set_property(TARGET ${target} PROPERTY ${property} "$<BUILD_INTERFACE:${folders}>")
    endif()
  endforeach()
  string(REGEX REPLACE "^forger_" "" name ${target})
  set_property(TARGET ${target} PROPERTY EXPORT_NAME ${name})
endforeach()

set(headers_dir ${CMAKE_INSTALL_INCLUDEDIR})
add_library(forger_library INTERFACE)
set_property(TARGET forger_library PROPERTY EXPORT_NAME forger)
target_compile_features(forger_library INTERFACE cxx_std_20)
target_link_libraries(forger_library INTERFACE forger_interop)
target_include_directories(forger_library INTERFACE $<INSTALL_INTERFACE:${headers_dir}>
                           $<INSTALL_INTERFACE:${headers_dir}/forger>)

install(TARGETS forger_library ${library} EXPORT ForgerTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
# The public headers are those that forger.h reaches; see the script.
install(CODE "set(forger_source ${CMAKE_SOURCE_DIR})\nset(forger_headers ${headers_dir}/forger)" COMPONENT library)
install(SCRIPT cmake/install_headers.cmake COMPONENT library)

# Packages that a program which links the library has to find, too.
set(FORGER_DEPENDENCIES "")
foreach(pair "fmt::fmt|fmt" "ZLIB::ZLIB|ZLIB" "Threads::Threads|Threads"
        "Boost::context|Boost COMPONENTS context" "CUDA::cudart_static|CUDAToolkit")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 target)
  list(GET pair 1 package)
  if(links_of_all MATCHES "${target}")
    string(APPEND FORGER_DEPENDENCIES "find_dependency(${package})\n")
  endif()
endforeach()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Forger)
set(FORGER_HAS_ONEDNN ${has_onednn})
configure_package_config_file(cmake/ForgerConfig.cmake.in ${CMAKE_BINARY_DIR}/ForgerConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ForgerConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ForgerConfig.cmake ${CMAKE_BINARY_DIR}/ForgerConfigVersion.cmake
        DESTINATION ${package_dir} COMPONENT library)
install(EXPORT ForgerTargets NAMESPACE Forger:: DESTINATION ${package_dir} COMPONENT library)

if(FORGER_SANITIZE)
  return()
endif()
add_test(NAME "installed: headers, an outside program, the program" COMMAND tests/installed_example.sh ${CMAKE_BINARY_DIR}
         WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties("installed: headers, an outside program, the program" PROPERTIES
                     LABELS install PROCESSORS 2 TIMEOUT 900)
add_test(NAME "version: the commit from git, from COMMIT, from nowhere" COMMAND tests/version.sh
         WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
set_tests_properties("version: the commit from git, from COMMIT, from nowhere" PROPERTIES SKIP_RETURN_CODE 77)

include(cmake/package.cmake)
