# Compiles SOURCE and holds the outcome to its first line: "// expect: words" (a regular expression; must be refused with
# them, in at most 15 lines of errors and notes) or "// expect nothing" (must compile).
set(ENV{LC_ALL} C) # the words are English
file(STRINGS "${SOURCE}" first LIMIT_COUNT 1)

set(flags -std=c++20 -fsyntax-only)
foreach(folder IN LISTS INCLUDES)
  list(APPEND flags -isystem "${folder}")
endforeach()
execute_process(COMMAND "${COMPILER}" ${flags} "${SOURCE}" RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)

if(first STREQUAL "// expect nothing")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "must compile and does not:\n${text}")
  endif()
  return()
endif()
if(NOT first MATCHES "^// expect: (.+)$")
  message(FATAL_ERROR "the first line must read \"// expect: words\" or \"// expect nothing\"")
endif()
set(words "${CMAKE_MATCH_1}")

if(result EQUAL 0)
  message(FATAL_ERROR "compiles, and must not")
endif()
# Only lines that tell an error or a note count; the source line that a compiler shows below could hold any word.
string(REPLACE ";" "," text "${text}")
string(REGEX MATCHALL "[^\n]*(error|note): [^\n]*" said "${text}")
list(LENGTH said count)
string(REPLACE ";" "\n" said "${said}")
message("${count} lines of errors and notes:\n${said}")
if(NOT said MATCHES "${words}")
  message(FATAL_ERROR "refused, but not with the words: ${words}")
endif()
if(count GREATER 15)
  message(FATAL_ERROR "too much text for one mistake")
endif()
