"""A slide's DeepZoom pyramid: geometry, tiles, the plan of its work, the index that is kept."""
