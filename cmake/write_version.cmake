# Writes OUT, the source file of forger::version(), if its text has changed. Run by every build:
#   cmake -D VERSION=0.1.0 -D SOURCE=checkout -D OUT=version.cpp -P cmake/write_version.cmake
# The commit comes from git; without git, or in an unpacked archive, from a file COMMIT at the top; else there is none.
set(commit "")
if(EXISTS ${SOURCE}/.git)
  find_program(GIT git)
  if(GIT)
    execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short HEAD
                    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND ${GIT} -C ${SOURCE} --no-optional-locks status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes ERROR_QUIET)
    if(commit AND changes)
      string(APPEND commit "-dirty")
    endif()
  endif()
endif()
if(NOT commit AND EXISTS ${SOURCE}/COMMIT)
  file(STRINGS ${SOURCE}/COMMIT commit LIMIT_COUNT 1 REGEX "^[0-9A-Za-z.-]+$")
endif()
if(commit)
  set(commit " (${commit})")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT [[#include "cli/version.h"

namespace forger {

const char* version() {
  return "@VERSION@@commit@";
}

}  // namespace forger
]] @ONLY)
