# How every file is compiled. Sets up one interface library, paddock_flags, that all targets link.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # clang-tidy reads it
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported()

# Debian's headers and our own files give the same object again and again.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

# Static libraries get -fPIC; without -fno-semantic-interposition that would forbid inlining.
add_library(paddock_flags INTERFACE)
target_compile_definitions(paddock_flags INTERFACE _GNU_SOURCE)
target_compile_options(paddock_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
  -Wundef -Werror -fno-strict-aliasing -fno-semantic-interposition
  -include ${PROJECT_SOURCE_DIR}/core/base/banned.h)

if(PADDOCK_HARDEN)
  target_compile_options(paddock_flags INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE
                         -D_FORTIFY_SOURCE=2)
  target_link_options(paddock_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()

if(PADDOCK_SANITIZE)
  target_compile_options(paddock_flags INTERFACE -fsanitize=${PADDOCK_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(paddock_flags INTERFACE -fsanitize=${PADDOCK_SANITIZE})
endif()

if(PADDOCK_LTO)
  include(CheckIPOSupported)
  check_ipo_supported()
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()
