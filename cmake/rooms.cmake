# paddock_room(<name> [ROOMS <room>...] [LIBRARIES <target>...])
#
# The static library paddock_<name> of core/<name>/*.c. A room that has only headers so far is an
# interface library, so that others may link it already. The rooms are the ones of the table in
# core/README.md; tests/checks/includes.py holds the #include lines to it.
function(paddock_room name)
  cmake_parse_arguments(ROOM "" "" "ROOMS;LIBRARIES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/core/${name}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$") # a program, not the room's library
  list(TRANSFORM ROOM_ROOMS PREPEND paddock_)
  if(sources)
    add_library(paddock_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(paddock_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(paddock_${name} ${scope} ${PROJECT_SOURCE_DIR}/core)
  target_link_libraries(paddock_${name} ${scope} paddock_flags ${ROOM_ROOMS} ${ROOM_LIBRARIES})
  if(PADDOCK_FUZZ AND sources AND name MATCHES "^(base|stats|telemetry|http|extend)$")
    # What the fuzzers of tests/fuzz call tells them which way it took.
    target_compile_options(paddock_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()
