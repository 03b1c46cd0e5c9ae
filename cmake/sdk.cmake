# What authors of plugins get, and where everything is put by `cmake --install`.
#
# The build tree looks like an installation, so that plugins can be built against it as well:
# PKG_CONFIG_PATH=build/release/share/pkgconfig, or CMAKE_PREFIX_PATH=build/release.

# The version of the interface stands in the header and nowhere else.
set(header ${PROJECT_SOURCE_DIR}/sdk/include/paddock/plugin.h)
file(STRINGS ${header} abi REGEX "^#define PADDOCK_ABI_(MAJOR|MINOR) +[0-9]+u$")
string(REGEX REPLACE "[^0-9;]" "" abi "${abi}")
string(REPLACE ";" "." PADDOCK_ABI "${abi}")
if(NOT PADDOCK_ABI MATCHES "^[0-9]+\\.[0-9]+$")
  message(FATAL_ERROR "no version of the interface in ${header}")
endif()

# paddock_sdk_files(<folder> <plugin dir below the prefix>): the files for pkg-config and CMake.
include(CMakePackageConfigHelpers)
function(paddock_sdk_files folder PADDOCK_PLUGIN_DIR)
  configure_file(sdk/paddock.pc.in ${folder}/share/pkgconfig/paddock.pc @ONLY)
  configure_file(sdk/PaddockConfig.cmake.in ${folder}/share/cmake/Paddock/PaddockConfig.cmake
                 @ONLY)
  write_basic_package_version_file(${folder}/share/cmake/Paddock/PaddockConfigVersion.cmake
                                   VERSION ${PADDOCK_ABI} COMPATIBILITY SameMajorVersion
                                   ARCH_INDEPENDENT)
endfunction()
configure_file(${header} ${PROJECT_BINARY_DIR}/include/paddock/plugin.h COPYONLY)
paddock_sdk_files(${PROJECT_BINARY_DIR} plugins)
paddock_sdk_files(${PROJECT_BINARY_DIR}/install lib/paddock/plugins)

# The model that `paddock plugin check` and `run` practise with: at the same place, seen from the
# program, as once it is installed.
add_library(practice MODULE sdk/practice/practice.c)
target_link_libraries(practice PRIVATE paddock_flags paddock_sdk m)
set_target_properties(practice PROPERTIES PREFIX "" C_VISIBILITY_PRESET hidden
                      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/paddock)
add_dependencies(paddock practice paddock-worker)

install(DIRECTORY ${PROJECT_BINARY_DIR}/install/share DESTINATION .)
install(TARGETS practice LIBRARY DESTINATION lib/paddock)
install(DIRECTORY sdk/include DESTINATION .)
install(DIRECTORY sdk/template DESTINATION share/paddock)
install(TARGETS paddock paddock-worker RUNTIME DESTINATION bin)
# Directories of plugins that others may write are refused by the server.
install(DIRECTORY ${PROJECT_BINARY_DIR}/plugins DESTINATION lib/paddock
        DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                              WORLD_READ WORLD_EXECUTE
        FILES_MATCHING PATTERN "*.so")
install(DIRECTORY docs/ DESTINATION share/doc/paddock)
install(FILES sdk/README.md sdk/ABI.md DESTINATION share/doc/paddock/sdk)
