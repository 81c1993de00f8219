# One precompiled header for all layers above the kernels.
add_library(forger_prefix STATIC ${CMAKE_CURRENT_LIST_DIR}/prefix.cpp)
target_link_libraries(forger_prefix PRIVATE fmt::fmt)
target_precompile_headers(forger_prefix PRIVATE ${CMAKE_CURRENT_LIST_DIR}/prefix.h)

# Usage: forger_use_prefix(TARGET)
function(forger_use_prefix target)
  target_precompile_headers(${target} REUSE_FROM forger_prefix)
endfunction()
