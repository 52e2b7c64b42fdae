/** The folder of the segment files in a data folder. */
export const LOGS_FOLDER = 'logs';
/** What it is called as long as not all is in it. */
export const CONVERTING_FOLDER = `${LOGS_FOLDER}.converting`;

/** Among the values: that there are logs in segment files beside them. */
export const HAS_LOGS = 'data-folder.has-logs';
