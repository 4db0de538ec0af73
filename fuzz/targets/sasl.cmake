mailstead_fuzz(sasl SOURCES sasl_fuzz.cpp DEPENDS mailstead_sasl)
