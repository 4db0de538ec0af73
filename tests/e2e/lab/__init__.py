"""Real servers on loopback for the end-to-end tests: Mailstead itself, a DNS server, a foreign Postfix."""
