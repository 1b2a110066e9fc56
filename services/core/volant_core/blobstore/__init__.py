"""Large values, by URI. The port and its adapters; no service's directory layout."""
