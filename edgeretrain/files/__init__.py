"""Files and folders written completely or not at all; downloads, archives, fingerprints."""
