"""How long it takes from a fault until somebody is paged, for every alert."""
