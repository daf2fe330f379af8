# Builds and runs the ten-line program in one WAY of using softax, from nothing, in the folder SCRATCH.
cmake_minimum_required(VERSION 3.18...4.0)

set(expected "0.0900 0.2447 0.6652 0.0900 0.2447 0.6652 ")
set(here "${CMAKE_CURRENT_LIST_DIR}")
set(ENV{CXX} "${COMPILER}")
# How CMake is used is not a matter of instruction sets; plain_include and pkg_config compile the kernels for all.
set(ENV{CXXFLAGS} "-DSOFTAX_NO_REGIONS")
unset(ENV{DESTDIR})
file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}")

# Runs a command that must succeed, and shows all it said if it does not. What it said is in `said`.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "failed (${result}): ${command}\n${text}")
  endif()
  set(said "${text}" PARENT_SCOPE)
endfunction()

function(check_output program)
  run("${program}")
  if(NOT said STREQUAL expected)
    message(FATAL_ERROR "printed \"${said}\" instead of \"${expected}\"")
  endif()
  message("${WAY}: ${said}")
endfunction()

# Configures a project; CMake may not warn.
function(configure source build)
  run(${CMAKE_COMMAND} -S "${source}" -B "${build}" -G "${GENERATOR}" ${ARGN})
  if(said MATCHES "Warning")
    message(FATAL_ERROR "CMake warns:\n${said}")
  endif()
endfunction()

function(build_and_check_output build program)
  run(${CMAKE_COMMAND} --build "${build}")
  check_output("${build}/${program}")
endfunction()

# A parent project: it builds, holds no test, and installs its own program only.
function(check_parent)
  set(build "${SCRATCH}/parent")
  configure("${here}/subproject" "${build}" ${ARGN})
  build_and_check_output("${build}" app/program)
  run(${CMAKE_COMMAND} -E chdir "${build}" ${CMAKE_CTEST_COMMAND} -N)
  if(NOT said MATCHES "Total Tests: 0")
    message(FATAL_ERROR "the parent has tests of ours:\n${said}")
  endif()
  run(${CMAKE_COMMAND} --install "${build}" --prefix "${SCRATCH}/installed")
  file(GLOB_RECURSE installed RELATIVE "${SCRATCH}/installed" "${SCRATCH}/installed/*")
  if(NOT installed MATCHES "^bin/program[^;]*$")
    message(FATAL_ERROR "the parent installs more than its program: ${installed}")
  endif()
endfunction()

# Installs softax, then moves the tree, so that no absolute path in it can be right.
function(install_and_move)
  configure("${SOURCE}" "${SCRATCH}/build" -DSOFTAX_BUILD_TESTS=OFF -DSOFTAX_BUILD_EXAMPLES=OFF
    -DSOFTAX_BUILD_BENCHMARKS=OFF ${ARGN})
  run(${CMAKE_COMMAND} --install "${SCRATCH}/build" --prefix "${SCRATCH}/first")
  file(RENAME "${SCRATCH}/first" "${SCRATCH}/moved")
  file(GLOB_RECURSE texts "${SCRATCH}/moved/share/*")
  foreach(text IN LISTS texts)
    file(READ "${text}" content)
    foreach(path IN ITEMS "${SCRATCH}" "${SOURCE}")
      string(FIND "${content}" "${path}" place)
      if(NOT place EQUAL -1)
        message(FATAL_ERROR "${text} holds the absolute path ${path}")
      endif()
    endforeach()
  endforeach()
endfunction()

function(find_and_check)
  configure("${here}/find_package" "${SCRATCH}/consumer" "-DCMAKE_PREFIX_PATH=${SCRATCH}/moved" ${ARGN})
  build_and_check_output("${SCRATCH}/consumer" program)
endfunction()

# A copy of Eigen's headers as a source tree whose CMakeLists.txt nobody may read.
function(copy_eigen folder)
  file(MAKE_DIRECTORY "${folder}")
  file(COPY "${EIGEN}/Eigen" "${EIGEN}/unsupported" DESTINATION "${folder}")
  file(WRITE "${folder}/CMakeLists.txt" "message(FATAL_ERROR \"Eigen's CMakeLists.txt was read\")\n")
endfunction()

if(WAY STREQUAL "plain_include")
  run("${COMPILER}" -std=c++20 -I "${SOURCE}/include" -I "${EIGEN}" "${here}/main.cpp" -o "${SCRATCH}/program")
  check_output("${SCRATCH}/program")

elseif(WAY STREQUAL "add_subdirectory")
  check_parent("-DSOFTAX=${SOURCE}")

elseif(WAY STREQUAL "fetch_content")
  # A real download, from a file: what a released archive holds.
  run(${CMAKE_COMMAND} -E chdir "${SOURCE}" ${CMAKE_COMMAND} -E tar czf "${SCRATCH}/softax.tar.gz"
    CMakeLists.txt cmake include LICENSE)
  file(SHA256 "${SCRATCH}/softax.tar.gz" hash)
  check_parent("-DARCHIVE=${SCRATCH}/softax.tar.gz" "-DHASH=SHA256=${hash}")

elseif(WAY STREQUAL "find_package")
  install_and_move()
  find_and_check()

elseif(WAY STREQUAL "pkg_config")
  install_and_move()
  find_program(pkg_config pkg-config REQUIRED)
  set(ENV{PKG_CONFIG_PATH} "${SCRATCH}/moved/share/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  run("${pkg_config}" --cflags --libs softax)
  string(STRIP "${said}" said)
  separate_arguments(flags UNIX_COMMAND "${said}")
  run("${COMPILER}" -std=c++20 "${here}/main.cpp" ${flags} -o "${SCRATCH}/program")
  check_output("${SCRATCH}/program")

elseif(WAY STREQUAL "fetched_eigen")
  # No Eigen is installed: softax brings the sources and nothing else of it, and can itself be installed all the same.
  copy_eigen("${SCRATCH}/eigen")
  set(fetched -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON "-DFETCHCONTENT_SOURCE_DIR_EIGEN=${SCRATCH}/eigen")
  check_parent("-DSOFTAX=${SOURCE}" ${fetched})
  install_and_move(${fetched})
  find_and_check()

elseif(WAY STREQUAL "parents_eigen")
  # The parent has its own Eigen: softax looks for no other.
  check_parent("-DSOFTAX=${SOURCE}" "-DPARENTS_EIGEN=${EIGEN}")

elseif(WAY STREQUAL "old_eigen")
  # An Eigen that is too old is refused with its version, its place and the two ways out.
  file(WRITE "${SCRATCH}/old/Eigen3Config.cmake" "add_library(Eigen3::Eigen INTERFACE IMPORTED)\n")
  file(WRITE "${SCRATCH}/old/Eigen3ConfigVersion.cmake" "set(PACKAGE_VERSION 3.3.9)\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -S "${here}/subproject" -B "${SCRATCH}/parent" -G "${GENERATOR}"
    "-DSOFTAX=${SOURCE}" "-DEigen3_DIR=${SCRATCH}/old" RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(result EQUAL 0)
    message(FATAL_ERROR "an Eigen of version 3.3.9 was accepted")
  endif()
  string(REGEX REPLACE "[ \n]+" " " said "${said}")
  foreach(words IN ITEMS "Eigen 3.4.0 or later" "found 3.3.9 in" "Eigen3_ROOT" "CMAKE_DISABLE_FIND_PACKAGE_Eigen3")
    if(NOT said MATCHES "${words}")
      message(FATAL_ERROR "the error does not say \"${words}\":\n${said}")
    endif()
  endforeach()

elseif(WAY STREQUAL "other_eigen")
  check_parent("-DSOFTAX=${SOURCE}" "-DCMAKE_PREFIX_PATH=${OTHER}")
  file(STRINGS "${SCRATCH}/parent/CMakeCache.txt" found REGEX "^Eigen3_DIR:")
  string(FIND "${found}" "${OTHER}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "another Eigen was asked for in ${OTHER} and not taken: ${found}")
  endif()
  message("${found}")

else()
  message(FATAL_ERROR "no such way: ${WAY}")
endif()
