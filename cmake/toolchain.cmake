# Compiler, linker and warnings: the same for every target.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_program(MOLD mold)
if(MOLD AND NOT MAILSTEAD_FUZZ)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
add_compile_options(-fstack-protector-strong)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # What the compiler can do for a program that strangers talk to. CMAKE_POSITION_INDEPENDENT_CODE makes the code movable, -pie the
  # programs.
  add_compile_definitions(_FORTIFY_SOURCE=3 _GLIBCXX_ASSERTIONS)
  add_compile_options(-fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|i.86)$")
    add_compile_options(-fcf-protection=full)
  endif()
  add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
# g++ 12 warns of overlapping copies inside std::string that cannot happen (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)
  # And takes Asio's aligned allocation of coroutine frames, once inlined, for a mismatched pair.
  add_compile_options(-Wno-mismatched-new-delete -Wno-free-nonheap-object)
endif()
add_compile_definitions(_GNU_SOURCE)

if(MAILSTEAD_SANITIZE)
  add_compile_options(-fsanitize=${MAILSTEAD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MAILSTEAD_SANITIZE})
  # GCC's documentation of -fsanitize: instrumented code gives false warnings of this kind (moved variants, here).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)
    # ThreadSanitizer does not follow bare fences, and g++ says so. Asio's stand beside a mutex or an atomic that it does follow.
    if(MAILSTEAD_SANITIZE MATCHES "thread")
      add_compile_options(-Wno-tsan)
    endif()
  endif()
  # Clang cannot assemble what this check puts in front of coroutines.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fno-sanitize=function)
  endif()
endif()
if(MAILSTEAD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_compile_definitions(MAILSTEAD_LIBFUZZER)
endif()
