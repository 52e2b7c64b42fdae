/** The name of the store's file in its folder: here, where nothing of SQLite is loaded. */
export const STORE_FILE = 'tinymq.db';
