"""One slide file: Aperio metadata, levels, tiles, associated images, barcode. Knows no pyramid."""
