# Sees to it that the target Eigen3::Eigen exists, version 3.4.0 or later: one that the parent made, else an installed
# one, else a pinned archive. Apart from the main file because it is the only thing that softax asks of a machine.

# Installed Eigen: asked for without a version, because no version expression accepts both 3.4.0 (which takes only a
# request of its own major version) and 5.x; checked by hand instead.
if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 CONFIG QUIET)
  if(Eigen3_FOUND)
    if(Eigen3_VERSION VERSION_LESS 3.4.0)
      message(FATAL_ERROR
        "softax needs Eigen 3.4.0 or later and found ${Eigen3_VERSION} in ${Eigen3_DIR}. Install a newer one and point "
        "to it with -DEigen3_ROOT=<prefix>, or let softax fetch one with -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON.")
    endif()
    # Targets that find_package makes are seen in this folder and below; the parent links softax further up.
    set_target_properties(Eigen3::Eigen PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
endif()

# Fetched Eigen: the sources alone. Eigen's own CMakeLists.txt would add over a thousand targets to the parent and write
# the user's package registry; SOURCE_SUBDIR names a folder without one, so that it is never read.
if(NOT TARGET Eigen3::Eigen)
  include(FetchContent)
  FetchContent_Declare(eigen
    URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
    URL_HASH SHA256=8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72
    SOURCE_SUBDIR Eigen)
  FetchContent_MakeAvailable(eigen)
  # A parent that declared `eigen` earlier decided how it is made, and may have made the target by now.
  if(NOT TARGET Eigen3::Eigen)
    add_library(Eigen3::Eigen INTERFACE IMPORTED GLOBAL) # imported: its headers count as system headers
    target_include_directories(Eigen3::Eigen INTERFACE "${eigen_SOURCE_DIR}")
  endif()
endif()
