"""Photos x backbones -> bottlenecks: one pass, a cache on disk, the bottlenecks that a run folder keeps."""
