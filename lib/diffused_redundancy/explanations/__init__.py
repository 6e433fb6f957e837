"""Why a random part suffices: what notebooks 07 to 09 find, and what predicts it."""
