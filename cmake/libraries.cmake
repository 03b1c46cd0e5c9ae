# The libraries of others, all of them Debian packages (scripts/lib/packages.sh installs them).

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

foreach(name libevent_core libevent_pthreads libevent_openssl jansson sqlite3 libcrypto libssl
        libcurl cmocka libxxhash lua5.4 hiredis)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${name})
endforeach()

# http_parser comes without a .pc file.
find_path(HTTP_PARSER_INCLUDE http_parser.h REQUIRED)
find_library(HTTP_PARSER_LIBRARY http_parser REQUIRED)
add_library(http_parser UNKNOWN IMPORTED)
set_target_properties(http_parser PROPERTIES IMPORTED_LOCATION ${HTTP_PARSER_LIBRARY}
                      INTERFACE_INCLUDE_DIRECTORIES ${HTTP_PARSER_INCLUDE})

# paddock-worker is started for every test: these two are linked into it.
find_library(JANSSON_ARCHIVE libjansson.a REQUIRED)
find_library(CRYPTO_ARCHIVE libcrypto.a REQUIRED)
