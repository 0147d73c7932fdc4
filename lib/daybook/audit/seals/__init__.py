"""The daily seal: what trail, rows and reports were at one moment, signed, and fixed outside this machine."""
