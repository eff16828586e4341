"""Field QA: what people look at to see why pictures were refused."""
