"""The root task's own services, pure: PDs, holds, work, cleanup."""
