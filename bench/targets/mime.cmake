add_executable(mime_bench ${PROJECT_SOURCE_DIR}/bench/mime_bench.cpp)
target_link_libraries(mime_bench PRIVATE mailstead_mime benchmark::benchmark_main)
