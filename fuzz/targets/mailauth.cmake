mailstead_fuzz(spf SOURCES spf_fuzz.cpp DEPENDS mailstead_mailauth)
mailstead_fuzz(dkim SOURCES dkim_fuzz.cpp DEPENDS mailstead_mailauth)
mailstead_fuzz(dmarc SOURCES dmarc_fuzz.cpp DEPENDS mailstead_mailauth)
mailstead_fuzz(dns_record SOURCES dns_record_fuzz.cpp DEPENDS mailstead_dns_records)
