mailstead_fuzz(mime
  SOURCES ${PROJECT_SOURCE_DIR}/fuzz/mime_fuzz.cpp
  DEPENDS mailstead_mime)
