-- SPDX-License-Identifier: BSD-3-Clause
-- podhop.lua - links between the hops of one packet, for Wireshark and tshark.
--
-- Works on files that podhop wrote: every observation of a packet carries the same
-- packet id (epb_packetid), and a comment with what podhop knew when it wrote it. Files
-- written with --terse have no comments; then hop, path and direction follow from the
-- interfaces' descriptions and the order of the frames.
--
-- Lua 5.2 (Wireshark up to 4.2) and 5.3/5.4 (4.4 and later). Nothing here asks for a
-- preference, changes one, or touches frames that podhop did not write.

-- Loaded twice (by -X and from a plugin folder) the second copy steps back.
local is_new, podhop = pcall(Proto, "podhop", "podhop: this packet at every hop")
if not is_new then return end

if set_plugin_info then
	set_plugin_info({
		version = "1",
		description = "Links between the hops of one packet of a Kubernetes pod",
	})
end

local F = {
	id = ProtoField.uint64("podhop.id", "Packet"),
	hop = ProtoField.uint32("podhop.hop", "Hop", base.DEC, nil, nil,
		"How many hops the packet has been seen at, this one included"),
	hops = ProtoField.uint32("podhop.hops", "Hops of the packet", base.DEC, nil, nil,
		"At how many hops the packet was seen in all"),
	role = ProtoField.string("podhop.role", "Role of this hop", base.ASCII,
		"veth, bridge, vtep or underlay"),
	path = ProtoField.string("podhop.path", "Path", base.ASCII,
		"Roles the packet was seen at, in time order"),
	dir = ProtoField.string("podhop.dir", "Direction", base.ASCII,
		"egress: sent by the pod, ingress: to the pod, other"),
	node = ProtoField.string("podhop.node", "Node"),
	prev = ProtoField.framenum("podhop.prev_hop", "Previous hop", base.NONE,
		frametype.REQUEST),
	next = ProtoField.framenum("podhop.next_hop", "Next hop", base.NONE,
		frametype.RESPONSE),
	dt = ProtoField.relative_time("podhop.dt", "Since the hop before"),
	overhead = ProtoField.uint32("podhop.overhead", "Encapsulation overhead", base.DEC,
		nil, nil, "Bytes of outer headers in this frame"),
	nat = ProtoField.string("podhop.nat", "Translated", base.ASCII,
		"The packet's addresses and ports as the far side sees them"),
	amb = ProtoField.uint32("podhop.amb", "Ambiguous", base.DEC, nil, nil,
		"Candidates that were open when this frame was matched"),
	again = ProtoField.bool("podhop.retransmission", "Retransmission", base.NONE, nil, nil,
		"TCP data of this flow that an earlier packet carried already"),
}
podhop.fields = { F.id, F.hop, F.hops, F.role, F.path, F.dir, F.node, F.prev, F.next, F.dt,
	F.overhead, F.nat, F.amb, F.again }

-- Extractors exist only if they are made while the script loads.
local get = {
	id = Field.new("frame.packet_id"),
	comment = Field.new("frame.comment"),
	interface = Field.new("frame.interface_id"),
	description = Field.new("frame.interface_description"),
	way = Field.new("frame.packet_flags_direction"),
	section = Field.new("frame.section_number"),
	vni = Field.new("vxlan.vni"),
	src = Field.new("ip.src"), dst = Field.new("ip.dst"),
	src6 = Field.new("ipv6.src"), dst6 = Field.new("ipv6.dst"),
	sport = Field.new("tcp.srcport"), dport = Field.new("tcp.dstport"),
	seq = Field.new("tcp.seq_raw"), len = Field.new("tcp.len"),
	ip_id = Field.new("ip.id"), offset = Field.new("ip.frag_offset"),
	total = Field.new("ip.len"), header = Field.new("ip.hdr_len"),
	id6 = Field.new("ipv6.fraghdr.ident"), offset6 = Field.new("ipv6.fraghdr.offset"),
	total6 = Field.new("ipv6.plen"),
}

local LINKS_MAX = 64		-- of a super-frame's segments, shown as links
local RANGES_MAX = 64		-- of a TCP flow, with gaps between them
local FRAGMENT_HEADER = 8	-- of IPv6; extension headers in front of it are not known

-- packets[key] = { frames = {...} sorted by number, sightings = nil or computed }
-- flows[5-tuple] = ranges of sequence numbers that packets have carried
local packets, packet_of, flows, newest

local function reset()
	packets, packet_of, flows, newest = {}, {}, {}, 0
end
reset()
podhop.init = reset		-- for every file

local function value(info)
	return info and tostring(info.value)
end

-- "podhop id=31 hop=3 ..." of a comment into a table; nil when it is none of podhop's.
local function parse_comment(...)
	for _, info in ipairs({ ... }) do
		local text = value(info)
		if text:sub(1, 10) == "podhop id=" then
			local t = {}
			for k, v in text:gmatch("([%w_]+)=(%S+)") do t[k] = v end
			return t
		end
	end
	return nil
end

-- Of several layers of the same protocol the innermost: the pod's own.
local function innermost(...)
	local n = select("#", ...)
	return n > 0 and value(select(n, ...)) or nil
end

-- Has this flow carried all these bytes before? Notes them. Wireshark's own analysis cannot
-- tell, because every packet is in the file once a hop; so this asks once a packet.
local function is_carried_again()
	local seq, len = tonumber(innermost(get.seq())), tonumber(innermost(get.len()))
	if not seq or not len or len == 0 then return false end
	local key = table.concat({ innermost(get.src()) or innermost(get.src6()) or "",
		innermost(get.dst()) or innermost(get.dst6()) or "",
		innermost(get.sport()) or "", innermost(get.dport()) or "" }, " ")
	local flow = flows[key]
	if not flow then
		flow = { base = seq, last = 0 }
		flows[key] = flow
	end
	-- Without wrap-around: as near to the range before as 32 bits allow.
	local from = (seq - flow.base) % 4294967296
	from = from + math.floor((flow.last - from) / 4294967296 + 0.5) * 4294967296
	local to, merged = from + len, {}
	flow.last = math.max(flow.last, to)
	for _, r in ipairs(flow) do
		if r[1] <= from and to <= r[2] then return true end
	end
	local new = { from, to }
	for _, r in ipairs(flow) do
		if r[2] < new[1] or new[2] < r[1] then
			merged[#merged + 1] = r
		else
			new = { math.min(new[1], r[1]), math.max(new[2], r[2]) }
		end
	end
	merged[#merged + 1] = new
	if #merged > RANGES_MAX then table.remove(merged, 1) end
	merged.base, merged.last = flow.base, flow.last
	flows[key] = merged
	return false
end

-- Is the innermost of these fields the pod's own, and no outer datagram's?
local function is_inner(...)
	local vni = get.vni()
	return not vni or select(select("#", ...), ...).offset > vni.offset
end

-- Which of its packet's bytes a frame holds: TCP's sequence numbers, else a fragment's place.
local function range_of()
	local seq, len = tonumber(innermost(get.seq())), tonumber(innermost(get.len()))
	if seq and len and len > 0 then return seq, len end
	local offset, total = tonumber(innermost(get.offset6())), tonumber(innermost(get.total6()))
	if offset and total and is_inner(get.offset6()) then
		return 8 * offset, total - FRAGMENT_HEADER
	end
	offset, total = tonumber(innermost(get.offset())), tonumber(innermost(get.total()))
	local header = tonumber(innermost(get.header()))
	if offset and total and header then return 8 * offset, total - header end
	return nil
end

-- Keeps what is needed of a frame. Frames may come in any order: Wireshark dissects
-- what the user clicks on.
local function remember(number, id, pinfo)
	local known = packet_of[number]
	if known then return known end

	local description = value(get.description()) or ""
	local said = parse_comment(get.comment())
	local node = description:match("^podhop .*node=(%S+)") or ""
	-- Files of several nodes may be merged: their ids count independently.
	local key = node .. "/" .. (value(get.section()) or "") .. "/" .. id
	local way = get.way()
	local f = {
		number = number,
		time = pinfo.rel_ts,
		interface = value(get.interface()) or "?",
		way = way and tonumber(tostring(way.value)) or 0,
		role = description:match("^podhop role=(%S+)") or
			description:match("^podhop .*role=(%S+)") or "?",
		node = node,
		said = said,
		tunnelled = get.vni() ~= nil,
		outer_id = value((get.ip_id())) or value((get.id6())),
	}
	f.from, f.len = range_of()
	local p = packets[key]
	if not p then
		-- Only in the file's order do sequence numbers say what came twice.
		p = { frames = {}, again = number > newest and is_carried_again() }
		packets[key] = p
	end
	newest = math.max(newest, number)
	local at = #p.frames + 1
	while at > 1 and p.frames[at - 1].number > number do at = at - 1 end
	table.insert(p.frames, at, f)
	p.sightings, p.path = nil, nil
	packet_of[number] = { packet = p, frame = f }
	return packet_of[number]
end

-- Frames of one packet at one place: a super-frame may be one frame here and forty there.
-- A hairpin passes the same device twice, once each way.
local function sightings_of(p)
	if p.sightings then return p.sightings end
	local list, by = {}, {}
	for _, f in ipairs(p.frames) do
		local place = f.interface .. "/" .. f.way
		local s = by[place]
		if not s then
			s = { role = f.role, way = f.way }
			by[place] = s
			list[#list + 1] = s
			s.index = #list
		end
		s[#s + 1] = f
		f.sighting, f.position = s, #s
	end
	-- The rest of a fragmented outer datagram has no inner headers: it is where its beginning is.
	for _, s in ipairs(list) do
		local by_id = {}
		for _, f in ipairs(s) do
			if f.tunnelled then by_id[f.outer_id or ""] = f end
		end
		for _, f in ipairs(s) do
			local head = not f.tunnelled and by_id[f.outer_id or ""]
			if head then f.from, f.len = head.from, head.len end
		end
	end
	p.sightings = list
	return list
end

local function path_of(p, list)
	if p.path then return p.path, p.hops end
	local longest, hops = "", 0
	for _, f in ipairs(p.frames) do
		local said = f.said
		if said and said.path and #said.path > #longest then longest = said.path end
		if said and tonumber(said.hop) and tonumber(said.hop) > hops then
			hops = tonumber(said.hop)
		end
	end
	if longest == "" then
		local roles = {}
		for i, s in ipairs(list) do roles[i] = s.role end
		longest = table.concat(roles, ">")
	end
	p.path, p.hops = longest, math.max(hops, #list)
	return p.path, p.hops
end

local function direction_of(list)
	local first = list[1]
	if first.role ~= "veth" then return first.role == "?" and "" or "ingress" end
	-- What the host's end of the pair received, the pod sent.
	if first.way == 2 then return "ingress" end
	return "egress"
end

-- The frames of sighting `other` that hold the same bytes as frame f: one of several
-- when both places saw equally many, else the one that was split, or all the parts.
local function counterparts(f, other)
	if not other then return {} end
	if #other == #f.sighting then return { other[f.position] } end
	-- Else those that share bytes: one that was split and all its parts, or what is left of these.
	local is_whole = #other == 1 or #f.sighting == 1
	if not f.from then return is_whole and other or { other[math.min(f.position, #other)] } end
	local shared = {}
	for _, g in ipairs(other) do
		if not g.from then
			if is_whole then shared[#shared + 1] = g end
		else
			local ahead = (g.from - f.from + 2147483648) % 4294967296 - 2147483648
			if ahead < f.len and -ahead < g.len then shared[#shared + 1] = g end
		end
	end
	return shared
end

local function add_links(tree, field, frames)
	for i = 1, math.min(#frames, LINKS_MAX) do
		tree:add(field, frames[i].number):set_generated()
	end
end

local function nstime(ns)
	local s = math.floor(ns / 1000000000)
	return NSTime.new(s, math.floor(ns - s * 1000000000 + 0.5))
end

-- What stands in front of the inner frame: the VNI is followed by one byte.
local function overhead_of(vni)
	return vni and vni.offset + 4 or 0
end

function podhop.dissector(tvb, pinfo, tree)
	local id = get.id()
	if not id then return end
	local text = tostring(id.value)
	local known = remember(pinfo.number, text, pinfo)
	local p, f = known.packet, known.frame
	local list = sightings_of(p)
	local said = f.said or {}
	local here = f.sighting.index
	local path, hops = path_of(p, list)
	local hop = tonumber(said.hop) or here
	local direction = said.dir or direction_of(list)
	local before = list[here - 1]

	local sub = tree:add(podhop)
	sub:set_generated()
	sub:set_text(string.format("podhop: packet %s, hop %d of %d (%s), %s, %s", text, hop,
		hops, f.role, direction, path))
	sub:add(F.id, id.value):set_generated()
	sub:add(F.hop, hop):set_generated()
	sub:add(F.hops, hops):set_generated()
	sub:add(F.role, f.role):set_generated()
	sub:add(F.path, path):set_generated()
	if direction ~= "" then sub:add(F.dir, direction):set_generated() end
	if f.node ~= "" then sub:add(F.node, f.node):set_generated() end
	local earlier = counterparts(f, before)
	add_links(sub, F.prev, earlier)
	add_links(sub, F.next, counterparts(f, list[here + 1]))
	if tonumber(said.dt_ns) then
		sub:add(F.dt, nstime(tonumber(said.dt_ns))):set_generated()
	elseif earlier[1] and not f.said then
		local dt = math.max(0, f.time - earlier[1].time)
		sub:add(F.dt, nstime(math.floor(dt * 1e9 + 0.5))):set_generated()
	end
	local overhead = overhead_of(get.vni())
	if overhead > 0 then sub:add(F.overhead, overhead):set_generated() end
	if said.nat then sub:add(F.nat, said.nat):set_generated() end
	if p.again then sub:add(F.again, true):set_generated() end
	if tonumber(said.amb) then sub:add(F.amb, tonumber(said.amb)):set_generated() end
end
register_postdissector(podhop)

-- With a filtering tap Wireshark builds trees while it loads a file, so the links
-- forward are there at the first click, and in tshark -2.
pcall(function() Listener.new("frame", "frame.packet_id") end)

-- ------------------------------------------------------------------------- VXLAN

-- flannel's port is 8472 (the kernel's own default); IANA's 4789 is known already.
local udp_port = DissectorTable.get("udp.port")
local has_name, vxlan = pcall(Dissector.get, "vxlan")
if not has_name or not vxlan then vxlan = udp_port:get_dissector(4789) end

local function byte(tvb, at)
	return tvb(at, 1):uint()
end

-- RFC 7348, section 5: flag I alone, reserved bits zero, then an Ethernet frame.
local function is_vxlan_to_the_bit(tvb)
	if tvb:len() < 8 + 14 + 20 or tvb(0, 4):uint() ~= 0x08000000 or byte(tvb, 7) ~= 0 then
		return false
	end
	local ethertype, version = tvb(20, 2):uint(), math.floor(byte(tvb, 22) / 16)
	return ethertype == 0x0800 and version == 4 or ethertype == 0x86dd and version == 6 or
		ethertype == 0x0806 and tvb(22, 2):uint() == 1
end

-- Asked for datagrams on ports that nobody claims: any port that the interface's
-- description names, and whatever is VXLAN beyond doubt.
local function other_ports(tvb, pinfo, tree)
	local port = (value(get.description()) or ""):match("^podhop .*port=(%d+)")
	local is_named = port and tonumber(port) == pinfo.dst_port and tvb:len() >= 8 and
		math.floor(byte(tvb, 0) / 8) % 2 == 1
	if not is_named and not is_vxlan_to_the_bit(tvb) then return false end
	vxlan:call(tvb, pinfo, tree)
	return true
end

if vxlan then
	udp_port:add(8472, vxlan)
	podhop:register_heuristic("udp", other_ports)
end
