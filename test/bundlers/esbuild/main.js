import { joinRoom, openLedger, Sync } from 'emberlink';
import { show, tryOut } from '../try-out.js';

show(await tryOut({ openLedger, Sync, joinRoom }));
