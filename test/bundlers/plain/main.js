import { joinRoom, openLedger, Sync } from './emberlink.js';
import { show, tryOut } from './try-out.js';

show(await tryOut({ openLedger, Sync, joinRoom }));
