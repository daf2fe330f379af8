# What an installed softax consists of: headers, a CMake package, a pkg-config file. All of it is free of absolute paths,
# so that the prefix can be moved, and of anything that depends on the processor, so that it lives under share/.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(softax_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/softax")
set(softax_pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(DIRECTORY include/softax DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS softax EXPORT softaxTargets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT softaxTargets NAMESPACE softax:: DESTINATION "${softax_package_dir}")

configure_package_config_file(cmake/softaxConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/softaxConfig.cmake"
  INSTALL_DESTINATION "${softax_package_dir}" NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/softaxConfigVersion.cmake"
  VERSION ${softax_VERSION} COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/softaxConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/softaxConfigVersion.cmake"
  DESTINATION "${softax_package_dir}")

# pkg-config finds the prefix from where the file lies, unless someone chose folders outside the prefix.
if(IS_ABSOLUTE "${softax_pkgconfig_dir}")
  set(softax_pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH softax_pc_up "/prefix/${softax_pkgconfig_dir}" "/prefix")
  string(REGEX REPLACE "/$" "" softax_pc_up "${softax_pc_up}")
  set(softax_pc_prefix "\${pcfiledir}/${softax_pc_up}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(softax_pc_include "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(softax_pc_include "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/softax.pc.in "${CMAKE_CURRENT_BINARY_DIR}/softax.pc" @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/softax.pc" DESTINATION "${softax_pkgconfig_dir}")
