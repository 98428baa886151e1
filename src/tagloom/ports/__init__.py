"""The protocols that the use cases need from stores, one for each subject, and the problems that stores raise."""
