"""Stand-ins for what the emulator lacks of AWS, and for the CDR."""
