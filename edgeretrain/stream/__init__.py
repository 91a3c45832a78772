"""Pictures that come one after the other: cameras, videos, watched folders, and what makes one label of many frames."""
