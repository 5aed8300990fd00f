import { webRtcLinker } from '../../src/rooms/webrtc-linker.ts';
import { testLinks } from '../suites/link.suite.ts';

testLinks('WebRTC', () => webRtcLinker());
