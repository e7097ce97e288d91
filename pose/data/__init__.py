"""People in pictures: a dataset's files read into records, records into what a network sees."""
