# `cpack -G DEB` in the build folder: forger (program, data, completions) and libforger-dev (headers, static libraries, CMake
# package). Needs dpkg-shlibdeps and file (Debian's dpkg-dev and file), which find what the program depends on.
set(CPACK_PACKAGE_NAME forger)
set(CPACK_PACKAGE_VENDOR "The Forger authors")
set(CPACK_PACKAGE_CONTACT "The Forger authors <authors@forger.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "GAN engine written from scratch in C++20 and CUDA")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL program library)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "The program forger trains, samples, evaluates and exports generative
adversarial networks. The MNIST images and completions for bash, zsh and fish
are included.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME forger)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)

set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Headers, static libraries and a CMake package for programs that define their
own networks: find_package(Forger REQUIRED), then link Forger::forger.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libforger-dev)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS OFF)
set(depends libfmt-dev zlib1g-dev)
if(has_onednn)
  list(APPEND depends libdnnl-dev)
endif()
if(links_of_all MATCHES Boost::context)
  list(APPEND depends libboost-context-dev)
endif()
list(JOIN depends ", " CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS "forger (= ${PROJECT_VERSION}), cmake, g++")
include(CPack)
