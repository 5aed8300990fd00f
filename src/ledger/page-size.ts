/** A page of a snapshot has more bytes than this, but for the last one. */
export const PAGE_MIN_BYTES: number = 16 * 1024;
/** Beyond the least size a page ends after so many bytes on average. */
export const PAGE_MEAN_BYTES: number = 48 * 1024;
export const PAGE_MAX_BYTES: number = 256 * 1024;
