"""The figures of docs/performance.md, docs/cost.md and docs/scale.md: what is measured and counted, and how."""
