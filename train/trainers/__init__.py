"""The trainers of students: TRL's, with our losses, lineage and checks."""
