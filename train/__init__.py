"""Train students on published dataset versions, and measure what came across."""
