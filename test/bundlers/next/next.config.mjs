import { dirname } from 'node:path';

// The packages of all apps here lie above this one.
export default { output: 'export', turbopack: { root: dirname(import.meta.dirname) } };
