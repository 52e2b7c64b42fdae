/** The folder of the segment files in a data folder. */
export const LOGS_FOLDER = 'logs';
