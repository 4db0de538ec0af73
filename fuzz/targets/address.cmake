mailstead_fuzz(address
  SOURCES ${PROJECT_SOURCE_DIR}/fuzz/address_fuzz.cpp
  DEPENDS mailstead_address)
