# How softax builds its own programs (tests, examples, benchmarks): one executable a source file, under warnings that are
# errors. The warnings stay here; no flag of ours reaches whoever links softax::softax.
function(softax_own_warnings target)
  if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    target_compile_options(${target} PRIVATE ${SOFTAX_OWN_WARNINGS})
  endif()
endfunction()

function(softax_own_program target source)
  add_executable(${target} ${source})
  target_link_libraries(${target} PRIVATE softax::softax ${ARGN})
  softax_own_warnings(${target})
endfunction()

set(SOFTAX_OWN_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
