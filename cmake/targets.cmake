# The four shapes that targets take here.

# A folder takes part when it has a CMakeLists.txt.
function(mailstead_folder folder)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${folder})
  endif()
endfunction()

# mailstead_library(NAME SOURCES ... DEPENDS ... PRIVATE_DEPENDS ...): a static library, headers included as "common/x/y.h".
function(mailstead_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
endfunction()

# mailstead_program(NAME SOURCES ... DEPENDS ...): an installed program.
function(mailstead_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# All unit tests; and of them those of the code that meets strangers' bytes first, for the run under the sanitizers.
add_custom_target(unit_tests)
add_custom_target(parser_tests)
set(MAILSTEAD_PARSERS base address mime smtp smtpd_core imap_proto mailauth dns_records sasl dkim dmarc spf dns_record
  imap_framer imap_search imap_sequence_set smtp_command smtp_data smtp_reply smtp_server)

function(mailstead_count_in name program)
  add_dependencies(unit_tests ${program})
  string(REGEX REPLACE "_test$" "" subject ${name})
  if(subject IN_LIST MAILSTEAD_PARSERS)
    add_dependencies(parser_tests ${program})
    set(labels unit parser)
  else()
    set(labels unit)
  endif()
  set(labels ${labels} PARENT_SCOPE)
endfunction()

# mailstead_test(NAME SOURCES ... DEPENDS ...): a GoogleTest program, run as one ctest entry.
function(mailstead_test name)
  if(NOT MAILSTEAD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE MAILSTEAD_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  add_test(NAME ${name} COMMAND ${name})
  mailstead_count_in(${name} ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
endfunction()

# mailstead_fuzz(NAME SOURCES ... DEPENDS ...): with the fuzz preset a libFuzzer program; otherwise a program that
# replays fuzz/corpus/NAME as a ctest entry.
function(mailstead_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(MAILSTEAD_FUZZ)
    add_executable(${name}_fuzz ${ARG_SOURCES})
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name}_fuzz PRIVATE ${ARG_DEPENDS})
  elseif(MAILSTEAD_TESTS)
    add_executable(${name}_fuzz ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/fuzz/replay.cpp)
    target_link_libraries(${name}_fuzz PRIVATE ${ARG_DEPENDS})
    add_test(NAME ${name}_fuzz_corpus COMMAND ${name}_fuzz ${PROJECT_SOURCE_DIR}/fuzz/corpus/${name})
    mailstead_count_in(${name} ${name}_fuzz)
    set_tests_properties(${name}_fuzz_corpus PROPERTIES LABELS "${labels}" TIMEOUT 600)
  endif()
endfunction()
