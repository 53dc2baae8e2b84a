"""Many runs for one question: jobs on devices, arms of paired seeds, the verdict."""
