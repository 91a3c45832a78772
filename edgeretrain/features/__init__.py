"""Photos x backbones -> bottlenecks: one pass over the photos, a cache on disk, the bottleneck file of a run folder."""
