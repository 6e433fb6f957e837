"""A second kind of representation: labelled texts, and their embeddings by a sentence encoder."""
