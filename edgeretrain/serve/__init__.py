"""`edgeretrain serve`: a small web page for a device without a screen."""
