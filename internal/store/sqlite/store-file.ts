/** The name of the store's file in its folder: here, where nothing of SQLite is loaded. */
export const STORE_FILE = 'tinymq.db';

/** The format of a store that is opened by this version: schema.ts says how an older one becomes it. */
export const STORE_FORMAT = 5;
