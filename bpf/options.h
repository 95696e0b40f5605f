/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Socket options that make the kernel send by itself (group memberships are told to the network,
 * with the group in them), or send another way than a connect was judged for (source routes,
 * extension headers, policies of IPsec). By level and name; what they carry is never read.
 */
#ifndef SALLYPORT_OPTIONS_H
#define SALLYPORT_OPTIONS_H

#define LEVEL_IP 0
#define LEVEL_IPV6 41

/* uapi/linux/in.h */
#define OPTION_IP_OPTIONS 4
#define OPTION_IP_IPSEC_POLICY 16
#define OPTION_IP_XFRM_POLICY 17
#define OPTION_IP_ADD_MEMBERSHIP 35
#define OPTION_IP_ADD_SOURCE_MEMBERSHIP 39
#define OPTION_IP_MSFILTER 41

/* Of both levels, MCAST_JOIN_GROUP to MCAST_MSFILTER: also leaving, for nobody is in a group. */
#define OPTION_MCAST_FIRST 42
#define OPTION_MCAST_LAST 48

/* uapi/linux/in6.h */
#define OPTION_IPV6_2292PKTOPTIONS 6
#define OPTION_IPV6_ADD_MEMBERSHIP 20
#define OPTION_IPV6_JOIN_ANYCAST 27
#define OPTION_IPV6_IPSEC_POLICY 34
#define OPTION_IPV6_XFRM_POLICY 35
#define OPTION_IPV6_HOPOPTS 54
#define OPTION_IPV6_RTHDRDSTOPTS 55
#define OPTION_IPV6_RTHDR 57
#define OPTION_IPV6_DSTOPTS 59

static __always_inline int option_allowed(int level, int option)
{
	if (level != LEVEL_IP && level != LEVEL_IPV6)
		return 1;
	if (option >= OPTION_MCAST_FIRST && option <= OPTION_MCAST_LAST)
		return 0;
	if (level == LEVEL_IP)
		return option != OPTION_IP_OPTIONS && option != OPTION_IP_IPSEC_POLICY &&
		       option != OPTION_IP_XFRM_POLICY && option != OPTION_IP_ADD_MEMBERSHIP &&
		       option != OPTION_IP_ADD_SOURCE_MEMBERSHIP && option != OPTION_IP_MSFILTER;
	return option != OPTION_IPV6_2292PKTOPTIONS && option != OPTION_IPV6_ADD_MEMBERSHIP &&
	       option != OPTION_IPV6_JOIN_ANYCAST && option != OPTION_IPV6_IPSEC_POLICY &&
	       option != OPTION_IPV6_XFRM_POLICY && option != OPTION_IPV6_HOPOPTS &&
	       option != OPTION_IPV6_RTHDRDSTOPTS && option != OPTION_IPV6_RTHDR &&
	       option != OPTION_IPV6_DSTOPTS;
}

#endif
