"""Statistics of a microstructure's geometry: correlation functions, lineal path, chords, surface, style."""
