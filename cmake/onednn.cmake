# Sets FORGER_HAVE_ONEDNN and the target forger_dnnl: oneDNN 2.6 to 3.x, optional.
#
# oneDNN is found by its header and library. Its own dnnl-config.cmake also requires OpenCL where the library was built to
# use a GPU through it, and nothing here uses one.
option(FORGER_ONEDNN "Use oneDNN when it is found" ON)
set(FORGER_HAVE_ONEDNN OFF)
if(NOT FORGER_ONEDNN)
  message(STATUS "Forger: built without oneDNN (FORGER_ONEDNN is OFF)")
  return()
endif()

find_path(ONEDNN_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
find_library(ONEDNN_LIBRARY dnnl)
if(NOT ONEDNN_INCLUDE_DIR OR NOT ONEDNN_LIBRARY)
  message(STATUS "Forger: oneDNN not found; slower kernels stand in for it")
  return()
endif()

set(version "")
file(STRINGS ${ONEDNN_INCLUDE_DIR}/oneapi/dnnl/dnnl_version.h lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
foreach(line ${lines})
  string(REGEX MATCH "[0-9]+$" number "${line}")
  list(APPEND version ${number})
endforeach()
list(JOIN version "." version)
if(version VERSION_LESS 2.6 OR NOT version VERSION_LESS 4)
  message(STATUS "Forger: oneDNN ${version} left out; 2.6 to 3.x are known to work")
  return()
endif()
set(FORGER_HAVE_ONEDNN ON)
message(STATUS "Forger: oneDNN ${version}, ${ONEDNN_LIBRARY}")
add_library(forger_dnnl INTERFACE)
target_include_directories(forger_dnnl SYSTEM INTERFACE ${ONEDNN_INCLUDE_DIR})
target_link_libraries(forger_dnnl INTERFACE ${ONEDNN_LIBRARY})
